//go:build !linux

package main

import (
	"errors"
	"time"
)

var errLinux = errors.New("the benchmark reads a process's CPU time and memory as Linux tells them; there is no other way here yet")

func cpuTime(int) (time.Duration, error) { return 0, errLinux }
func residentMemory(int) (int64, error)  { return 0, errLinux }
func forgetPeak(int) error               { return errLinux }
func peakMemory(int) (int64, error)      { return 0, errLinux }
func sleepExactly()                      {}
func sleepUntil(at time.Time)            { time.Sleep(time.Until(at)) }
