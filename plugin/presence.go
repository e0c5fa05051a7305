package main

import (
	"encoding/binary"
	"time"

	"github.com/routelens/routelens/plugin/shared"
)

// presence lets a plugin that starts know whether another of its name runs in this proxy: each of them says so, by the second. A nil one says nothing.
type presence struct {
	data shared.Data
	key  string
	told time.Time
}

const (
	presencePeriod = time.Second
	presenceTime   = 5 * time.Second // for which what was told is believed
)

func (p *presence) tell(now time.Time) {
	if p == nil {
		return
	}
	if age := now.Sub(p.told); 0 <= age && age < presencePeriod {
		return
	}
	p.told = now
	_, version := p.data.Get(p.key)
	p.data.Swap(p.key, binary.LittleEndian.AppendUint64(nil, uint64(now.UnixMilli())), version) // if that is lost, another told it just now
}

func (p *presence) known(now time.Time) bool {
	value, _ := p.data.Get(p.key)
	if len(value) != 8 {
		return false
	}
	age := now.Sub(time.UnixMilli(int64(binary.LittleEndian.Uint64(value))))
	return -presenceTime < age && age < presenceTime
}
