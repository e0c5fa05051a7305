package export

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/routelens/routelens/plugin/metrics"
)

// readBulk reads an answer of Elasticsearch's bulk API
// (https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk),
// which OpenSearch and others have too. A request that was taken has an answer for
// each of its records, in the order in which they were sent:
//
//	{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":400,"error":{…}}}]}
//
// Without errors nothing more is read: all are delivered, and the items of a large
// batch are large. A record whose item is missing, cut or no item is unconfirmed:
// it may have been stored, and sent again it would be there twice. Items beyond
// the records are nobody's.
func readBulk(r *Response, b batch) outcome {
	verdict := judge(r.Status)
	o := byStatus(verdict, r, b)
	if verdict != accepted || gjson.Get(r.text(maxWords), "errors").Type == gjson.False {
		return o
	}
	answer := r.text(answerSize(o.records))
	told := 0 // of so many records
	switch gjson.Get(answer, "errors").Type {
	case gjson.False: // it stands behind the items
		return o
	case gjson.True:
		items := gjson.Get(answer, "items")
		if !items.IsArray() {
			break
		}
		items.ForEach(func(_, item gjson.Result) bool {
			if told == o.records {
				return false
			}
			o.readItem(told, item)
			told++
			return true
		})
	}
	o.doubt(o.records - told)
	if o.unknown > 0 && o.words == "" {
		o.words = answer
	}
	return o
}

// readItem reads the answer for the record at a place in the request.
func (o *outcome) readItem(place int, item gjson.Result) {
	var action gjson.Result                                  // it is under its name, the item's only key
	if item.IsObject() && strings.HasSuffix(item.Raw, "}") { // else it is cut
		item.ForEach(func(_, value gjson.Result) bool { action = value; return false })
	}
	status := 0
	if s := action.Get("status"); s.Type == gjson.Number {
		status = clamp(s.Int(), 1000)
	}
	switch {
	case status >= 200 && status < 300, status == 409: // 409: a record of its id is there
		return
	case status == 429 || status >= 500 && status < 600:
		o.putOff(place)
	case status >= 300 && status < 500:
		o.lose(metrics.Rejected, 1)
	default:
		o.doubt(1)
		return
	}
	if e := action.Get("error"); o.words == "" && e.Exists() {
		if o.words = e.Get("type").String(); e.Get("reason").Exists() {
			o.words += ": " + e.Get("reason").String()
		}
		if !e.IsObject() {
			o.words = e.String()
		}
	}
}
