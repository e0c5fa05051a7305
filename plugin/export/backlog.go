package export

import (
	"slices"
	"time"

	"github.com/routelens/routelens/plugin/queue"
)

// item is a frame that waits.
type item struct {
	frame   queue.Frame
	arrived time.Time
}

func (i item) size() int { return len(i.frame.Bytes()) }

// backlog is what waits for the sink: a list for each class, oldest first.
type backlog struct {
	lists   [queue.Classes][]item
	bytes   int
	records int
	tried   int64 // none that waits was first tried before; 0: none was tried
}

func (b *backlog) push(i item) {
	b.lists[i.frame.Class] = append(b.lists[i.frame.Class], i)
	b.count(i, 1)
	b.note(i)
}

// note keeps the earliest first try.
func (b *backlog) note(i item) {
	if tried := i.frame.Tried(); tried != 0 && (b.tried == 0 || tried < b.tried) {
		b.tried = tried
	}
}

// putBack returns items to the front, in the order in which they were taken.
func (b *backlog) putBack(items []item) {
	for class := range b.lists {
		var front []item
		for _, i := range items {
			if int(i.frame.Class) == class {
				front = append(front, i)
				b.count(i, 1)
				b.note(i)
			}
		}
		if front != nil {
			b.lists[class] = append(front, b.lists[class]...)
		}
	}
}

// pop takes the oldest item of a class.
func (b *backlog) pop(class int) item {
	i := b.lists[class][0]
	b.lists[class][0] = item{} // let its memory go
	b.lists[class] = b.lists[class][1:]
	b.count(i, -1)
	return i
}

func (b *backlog) count(i item, sign int) {
	b.bytes += sign * i.size()
	b.records += sign * i.frame.Count
}

// shed drops items until at most room bytes are left, the least precious class
// first and the oldest first in each, and tells how many records went.
func (b *backlog) shed(room int) (records int) {
	for class := range b.lists {
		for b.bytes > room && len(b.lists[class]) > 0 {
			records += b.pop(class).frame.Count
		}
	}
	return records
}

// expire drops items that were first tried before a time. They may stand anywhere,
// as some were tried by other collectors and put back on the queue. It looks
// through all that waits only where it may find one: during an outage that is much.
func (b *backlog) expire(before time.Time) (records int) {
	if b.tried == 0 || b.tried >= before.UnixNano() {
		return 0
	}
	b.tried = 0
	for class, list := range b.lists {
		b.lists[class] = slices.DeleteFunc(list, func(i item) bool {
			tried := i.frame.Tried()
			expired := tried != 0 && tried < before.UnixNano()
			if expired {
				records += i.frame.Count
				b.count(i, -1)
			} else {
				b.note(i)
			}
			return expired
		})
	}
	return records
}

// oldest tells when the item that has waited longest arrived.
func (b *backlog) oldest() (t time.Time, any bool) {
	for _, list := range b.lists {
		if len(list) > 0 && (!any || list[0].arrived.Before(t)) {
			t, any = list[0].arrived, true
		}
	}
	return t, any
}
