package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is what a process has used so far, user and system. /proc tells it in steps of 10 ms, the
// process's own clock in nanoseconds.
func cpuTime(pid int) (time.Duration, error) {
	const cpuClockSched = 2
	var now unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|cpuClockSched), &now); err != nil {
		return 0, fmt.Errorf("reading the CPU time of process %d: %w", pid, err)
	}
	return time.Duration(now.Nano()), nil
}

// sleepExactly lets this thread's timers be as exact as the kernel can; its default is 50 us late.
func sleepExactly() { unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) }

// sleepUntil is exact to some microseconds, where time.Sleep is to a millisecond.
func sleepUntil(at time.Time) {
	for {
		left := time.Until(at)
		if left <= 0 {
			return
		}
		rest := unix.NsecToTimespec(int64(left))
		unix.Nanosleep(&rest, nil) // a signal may cut it short
	}
}
