package record

// flagNames are Envoy's short names of its response flags, by bit
// (envoy/stream_info/stream_info.h, CoreResponseFlag).
var flagNames = [...]string{
	"LH", "UH", "UT", "LR", "UR", "UF", "UC", "UO", "NR", "DI",
	"FI", "RL", "UAEX", "RLSE", "DC", "URX", "SI", "IH", "DPE", "UMSDR",
	"RFCF", "NFCF", "DT", "UPE", "NC", "OM", "DF", "DO", "DR", "UDO",
}

// clientLeft are the flags of a client that closed the connection (DC), broke
// the protocol (DPE) or reset the stream (DR).
const clientLeft = 1<<14 | 1<<18 | 1<<28

// AppendFlags appends the short names of response flags, separated by commas,
// as Envoy's %RESPONSE_FLAGS% does. Bits without a name are left out.
func AppendFlags(dst []byte, flags int64) []byte {
	begin := len(dst)
	for bit, name := range flagNames {
		if flags&(1<<bit) == 0 {
			continue
		}
		if len(dst) > begin {
			dst = append(dst, ',')
		}
		dst = append(dst, name...)
	}
	return dst
}
