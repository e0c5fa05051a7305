package record

// Content is what is recorded of a body.
type Content struct {
	Form      Form
	Text      string // as Form says
	Truncated bool   // there was more of it
	Omitted   Omission
}

// Form is what a [Content]'s text is.
type Form uint8

// The forms.
const (
	NoContent Form = iota // the body was not chosen, or was omitted
	Text                  // UTF-8
	Base64                // bytes that are no text, in base64 (RFC 4648, 4)
	JSON                  // one whole JSON object or list, without spaces around it
)

// Omission is why a body that was chosen is not recorded: a closed list, a label
// of routelens_bodies_omitted_total.
type Omission uint8

// The omissions.
const (
	NotOmitted    Omission = iota
	OfContentType          // none of content_types
	OfStream               // an event stream, an upgraded connection, a tunnel
	OfGRPC                 // gRPC, and bodies.grpc is off
	OfEncoding             // a content-encoding that cannot be read, such as br
	OfRatio                // it inflates to more than bodies.max_ratio times its size
	OfCharset              // a character set that cannot be read
	Malformed              // it is not what its headers say
	NotRedactable          // what redact names cannot be told apart in it
	NoRoom                 // the worker held bodies.max_held bytes, or the record would have been too large
	omissions
)

var omissionNames = [omissions]string{"", "content_type", "stream", "grpc", "encoding", "ratio", "charset", "malformed", "not_redactable", "no_room"}

func (o Omission) String() string { return omissionNames[o] }

// Omissions are the names of all, in order, without [NotOmitted].
func Omissions() []string { return omissionNames[1:] }
