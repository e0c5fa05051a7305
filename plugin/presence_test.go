package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/routelens/routelens/plugin/shared/sharedtest"
)

func TestAPresenceIsBelievedForAWhile(t *testing.T) {
	data, now := sharedtest.New(), time.Now()
	first, other := presence{data: data, key: "shop.routelens"}, presence{data: data, key: "istio-system.routelens"}
	assert.False(t, first.known(now), "nobody ever told")
	first.tell(now)
	for age, known := range map[time.Duration]bool{
		0: true, presenceTime - time.Second: true, presenceTime + time.Second: false,
		-time.Second: true, -time.Hour: false, // the clock was set back
	} {
		assert.Equal(t, known, first.known(now.Add(age)), age)
	}
	assert.False(t, other.known(now), "a plugin of another name")
}

func TestAPresenceIsToldByTheSecond(t *testing.T) {
	data, now := sharedtest.New(), time.Now()
	p := presence{data: data, key: "k"}
	told := func(at time.Time) bool {
		_, before := data.Get("k")
		p.tell(at)
		_, after := data.Get("k")
		return before != after
	}
	assert.True(t, told(now))
	assert.False(t, told(now.Add(presencePeriod-time.Millisecond)))
	assert.True(t, told(now.Add(presencePeriod)))
	assert.True(t, told(now.Add(-time.Hour)), "the clock was set back")
	assert.NotPanics(t, func() { (*presence)(nil).tell(now) })
}
