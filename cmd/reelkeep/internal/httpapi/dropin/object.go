package dropin

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/reelkeep/reelkeep/worker/heygen"
)

// object is a JSON object that keeps what it does not know: the order of members, digits, everything HeyGen may add.
type object []member

type member struct {
	name  string
	value json.RawMessage
}

var errNotObject = errors.New("not a JSON object")

// parseObject reads one level of an object.
func parseObject(raw []byte) (object, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errNotObject
	}
	o := object{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string) // a name is nothing else
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		o = append(o, member{name, value})
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	return o, nil
}

// get returns the value of a name; nil if it is not there or null.
func (o object) get(name string) json.RawMessage {
	for _, m := range o {
		if m.name == name && !isNull(m.value) {
			return m.value
		}
	}
	return nil
}

// has says whether the name is there, null or not.
func (o object) has(name string) bool {
	for _, m := range o {
		if m.name == name {
			return true
		}
	}
	return false
}

// text returns the value of a name if it is a string.
func (o object) text(name string) string {
	var s string
	if json.Unmarshal(o.get(name), &s) != nil {
		return ""
	}
	return s
}

// set replaces the value where it stands, or puts it at the end.
func (o *object) set(name string, value json.RawMessage) {
	for i := range *o {
		if (*o)[i].name == name {
			(*o)[i].value = value
			return
		}
	}
	*o = append(*o, member{name, value})
}

func (o object) encode() json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(quote(m.name))
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

func isNull(raw json.RawMessage) bool { return bytes.Equal(bytes.TrimSpace(raw), []byte("null")) }

// quote writes a string as JSON and keeps < > & as they are: links are full of them.
func quote(s string) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(s) != nil {
		return json.RawMessage(`""`) // a string can always be written
	}
	return bytes.TrimSpace(b.Bytes())
}

// mapStrings returns valid JSON with every string, at any depth, replaced by what f makes of it. All else stays as it is
// written. f is only asked about what could be an address.
func mapStrings(raw json.RawMessage, f func(string) (string, bool)) json.RawMessage {
	var out bytes.Buffer
	for len(raw) > 0 {
		start := bytes.IndexByte(raw, '"')
		if start < 0 {
			break
		}
		out.Write(raw[:start])
		end := heygen.StringEnd(raw, start)
		out.Write(mapLiteral(raw[start:end], f))
		raw = raw[end:]
	}
	out.Write(raw)
	return out.Bytes()
}

func mapLiteral(literal []byte, f func(string) (string, bool)) []byte {
	if !bytes.Contains(literal, []byte("//")) && !bytes.Contains(literal, []byte(`\/`)) {
		return literal
	}
	var s string
	if json.Unmarshal(literal, &s) != nil || !strings.HasPrefix(s, "http") {
		return literal
	}
	if t, ok := f(s); ok {
		return quote(t)
	}
	return literal
}
