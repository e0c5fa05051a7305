// Pause holds the namespaces of a pod, for nodes that cannot pull Kubernetes' own: it sleeps until it is told to end.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, os.Interrupt)
	signal.Ignore(syscall.SIGCHLD) // as the pod's first process it may be given children: nobody asks how they ended
	<-ended
}
