package export

import (
	"github.com/routelens/routelens/plugin/encode"
)

// batch is the frames of one request.
type batch []item

// next takes a batch off the backlog, the precious first. A batch's first frame
// is always taken, so that one frame larger than a batch cannot block the rest.
func (b *backlog) next(maxBytes, maxRecords int) batch {
	var taken batch
	bytes, records := 0, 0
	for class := len(b.lists) - 1; class >= 0; class-- {
		for len(b.lists[class]) > 0 {
			i := b.lists[class][0]
			if len(taken) > 0 && (bytes+i.size() > maxBytes || records+i.frame.Count > maxRecords) {
				return taken
			}
			bytes, records = bytes+i.size(), records+i.frame.Count
			taken = append(taken, b.pop(class))
		}
	}
	return taken
}

func (b batch) records() (n int) {
	for _, i := range b {
		n += i.frame.Count
	}
	return n
}

func (b batch) bytes() (n int) {
	for _, i := range b {
		n += i.size()
	}
	return n
}

// appendBody appends a request's body: the records, joined as the dialect wants.
func (b batch) appendBody(dst []byte, e *encode.Envelope) []byte {
	dst = append(dst, e.Open...)
	if e.GroupOpen == "" {
		first := true
		b.each(func(_, record []byte) {
			dst = between(dst, e.Between, &first)
			dst = append(dst, record...)
		})
		return append(dst, e.Close...)
	}
	firstGroup := true
	for _, g := range b.groups() {
		dst = between(dst, e.Separator, &firstGroup)
		dst = append(append(append(dst, e.GroupOpen...), g.key...), e.GroupMid...)
		first := true
		for _, record := range g.records {
			dst = between(dst, e.Between, &first)
			dst = append(dst, record...)
		}
		dst = append(dst, e.GroupClose...)
	}
	return append(dst, e.Close...)
}

type group struct {
	key     []byte
	records [][]byte
}

// groups gathers the records by key, in the order of first appearance.
func (b batch) groups() []group {
	groups, _ := b.grouped()
	return groups
}

// grouped tells of each record, too, which group it is in.
func (b batch) grouped() (groups []group, groupOf []int) {
	index := map[string]int{}
	b.each(func(key, record []byte) {
		at, ok := index[string(key)]
		if !ok {
			at = len(groups)
			index[string(key)] = at
			groups = append(groups, group{key: key})
		}
		groups[at].records = append(groups[at].records, record)
		groupOf = append(groupOf, at)
	})
	return groups, groupOf
}

func (b batch) each(visit func(key, record []byte)) {
	for _, i := range b {
		i.frame.Each(visit)
	}
}

func between(dst []byte, separator string, first *bool) []byte {
	if *first {
		*first = false
		return dst
	}
	return append(dst, separator...)
}

// places tells where in a request each record stands, by its place in each;
// nil: they stand in that order.
func (b batch) places(e *encode.Envelope) []int {
	if e.GroupOpen == "" {
		return nil
	}
	groups, groupOf := b.grouped()
	next := make([]int, len(groups))
	for i := 1; i < len(groups); i++ {
		next[i] = next[i-1] + len(groups[i-1].records)
	}
	places := groupOf
	for i, group := range groupOf {
		places[i] = next[group]
		next[group]++
	}
	return places
}

// only is the batch without the records that are not to be sent again, which is
// told by place in the request. Each keeps its class, its order and the time of
// its first attempt.
func (b batch) only(again []bool, e *encode.Envelope) batch {
	places := b.places(e)
	var left batch
	at := 0
	for _, i := range b {
		begin := at
		at += i.frame.Count
		frame := i.frame.Only(func(record int) bool {
			place := begin + record
			if places != nil {
				place = places[place]
			}
			return again[place]
		})
		if frame.Count > 0 {
			left = append(left, item{frame: frame, arrived: i.arrived})
		}
	}
	return left
}
