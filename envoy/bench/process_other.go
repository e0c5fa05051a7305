//go:build !linux

package main

import (
	"errors"
	"time"
)

var errLinux = errors.New("the benchmark reads a process's CPU time as Linux tells it; there is no other way here yet")

func cpuTime(int) (time.Duration, error) { return 0, errLinux }
func sleepExactly()                      {}
func sleepUntil(at time.Time)            { time.Sleep(time.Until(at)) }
