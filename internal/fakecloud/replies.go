package fakecloud

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
)

const htmlPage = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center><h1>502 Bad Gateway</h1></center></body>\r\n</html>\r\n"

// write sends a verdict, or what its fault makes of it.
func (c *Cloud) write(w http.ResponseWriter, r *http.Request, call *call, v verdict) {
	switch v.fault.Kind {
	case Drop:
		panic(http.ErrAbortHandler)
	case Hang:
		select {
		case <-r.Context().Done():
		case <-c.closing:
		}
		panic(http.ErrAbortHandler)
	case Endless:
		c.writeEndlessly(w)
	case GzipBomb:
		writeGzipBomb(w)
	case Redirect:
		w.Header().Set("Location", v.fault.URL)
		w.WriteHeader(cmp.Or(v.fault.HTTPStatus, http.StatusFound))
	default:
		c.writeWhole(w, call, v)
	}
}

func (c *Cloud) writeWhole(w http.ResponseWriter, call *call, v verdict) {
	status, contentType, body := http.StatusOK, "application/json", []byte(nil)
	switch v.fault.Kind {
	case BadGateway:
		status, contentType, body = http.StatusBadGateway, "text/html", []byte(htmlPage)
	case GatewayTimeout:
		status = http.StatusGatewayTimeout
	case HTML:
		contentType, body = "text/html", []byte(htmlPage)
	case Garbage:
		body = []byte("\x00\xff\xfe{\"Response\":\x80\x81]")
	case Raw:
		status, body = cmp.Or(v.fault.HTTPStatus, http.StatusOK), []byte(v.fault.Body)
	case EmptyObject:
		body = []byte(`{}`)
	case NullResponse:
		body = []byte(`{"Response":null}`)
		if call.legacy {
			body = []byte(`{"code":0,"message":"","codeDesc":"Success","data":null}`)
		}
	default:
		var err error
		if body, err = encode(call, v); err != nil {
			status, body = http.StatusInternalServerError, []byte(err.Error())
		}
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if v.fault.Kind == DropMidBody {
		_, _ = w.Write(body[:len(body)/2]) // the connection is about to end anyway
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body) // a client that left needs no answer
}

// writeEndlessly ends with the connection, which Close ends too.
func (c *Cloud) writeEndlessly(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	_, err := io.WriteString(w, `{"Response":{"Status":"`)
	chunk := bytes.Repeat([]byte("x"), 64<<10)
	for err == nil {
		select {
		case <-c.closing:
			panic(http.ErrAbortHandler)
		default:
			_, err = w.Write(chunk)
		}
	}
}

// writeGzipBomb sends 1 GiB as 1024 gzip members of 1 MiB each: readers take
// them for one stream.
func writeGzipBomb(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	_, err := w.Write(gzipped([]byte(`{"Response":{"Status":"`)))
	member := gzipped(bytes.Repeat([]byte("x"), 1<<20))
	for i := 0; i < 1024 && err == nil; i++ {
		_, err = w.Write(member)
	}
}

func gzipped(data []byte) []byte {
	var buffer bytes.Buffer
	writer := gzip.NewWriter(&buffer)
	_, _ = writer.Write(data) // a buffer takes all
	_ = writer.Close()
	return buffer.Bytes()
}
