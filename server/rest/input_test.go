package rest_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/rest"
)

// bodyRoutes are the routes that take a JSON object. The ids in their paths are ones that ann may use.
func bodyRoutes(message, group int64) []string {
	return []string{
		"POST /api/auth/register", "POST /api/auth/login", "POST /api/auth/refresh",
		"PUT /api/users/me", "PUT /api/users/me/privacy", "POST /api/users/friends", "POST /api/users/blocked",
		"POST /api/messages", "POST /api/messages/send", "POST /api/messages/typing",
		fmt.Sprint("PUT /api/messages/", message),
		"POST /api/chats", fmt.Sprint("PUT /api/chats/", group), fmt.Sprint("POST /api/chats/", group, "/members"),
	}
}

func TestBodiesThatAreNoJSON(t *testing.T) {
	w := open(t)
	ann, ben := w.join("ann"), w.join("ben")
	routes := bodyRoutes(w.send(ann, ben, "hello"), w.group(ann, ben))
	before := w.do("GET", "/api/messages?limit=1", ann.token, nil).want(200).num("total")
	for name, c := range map[string]struct{ body, says string }{
		"garbage":        {"garbage", "not valid JSON"},
		"cut off":        {`{"content": "x`, "not valid JSON"},
		"trailing":       {`{} {}`, "not valid JSON"},
		"trailing text":  {`{}x`, "not valid JSON"},
		"single quotes":  {`{'content': 'x'}`, "not valid JSON"},
		"null":           {`null`, "JSON object"},
		"a list":         {`[]`, "JSON object"},
		"a list of one":  {`[{"content":"x"}]`, "JSON object"},
		"a string":       {`"x"`, "JSON object"},
		"a number":       {`17`, "JSON object"},
		"true":           {`true`, "JSON object"},
		"invalid UTF-8":  {"{\"content\": \"\xff\xfe\"}", "UTF-8"},
		"overlong UTF-8": {"{\"content\": \"\xc0\x80\"}", "UTF-8"},
		"UTF-16":         {"{\x00}\x00", "not valid JSON"},
		"deep":           {strings.Repeat(`{"a":`, 20_000), "not valid JSON"},
		"deep lists":     {`{"a":` + strings.Repeat(`[`, 20_000), "not valid JSON"},
		"NaN":            {`{"receiver_id": NaN}`, "not valid JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, route := range routes {
				method, path, _ := strings.Cut(route, " ")
				r := w.do(method, path, ann.token, c.body)
				r.t = t
				r.want(400).says(c.says)
			}
		})
	}
	for _, route := range routes {
		if method, path, _ := strings.Cut(route, " "); path != "/api/auth/refresh" {
			w.do(method, path, ann.token, nil).want(400).says("body is empty")
			w.do(method, path, ann.token, " \n\t ").want(400).says("body is empty")
		}
	}
	if after := w.do("GET", "/api/messages?limit=1", ann.token, nil).want(200).num("total"); after != before {
		t.Errorf("%d messages were stored", after-before)
	}
}

// Every route refuses a body that is compressed or not UTF-8, and says so.
func TestBodiesInAnotherForm(t *testing.T) {
	w := open(t)
	ann, ben := w.join("ann"), w.join("ben")
	zipped := gzipped(t, `{"content":"x"}`)
	for _, route := range append(bodyRoutes(w.send(ann, ben, "hello"), w.group(ann, ben)), "POST /api/files/upload") {
		method, path, _ := strings.Cut(route, " ")
		for _, coding := range []string{"gzip", "br", "deflate, gzip"} {
			r := w.do(method, path, ann.token, zipped, "Content-Encoding", coding).want(415).says("compressed")
			if r.header.Get("Accept-Encoding") != "identity" {
				t.Errorf("%s: Accept-Encoding %q", route, r.header.Get("Accept-Encoding"))
			}
		}
		if path == "/api/files/upload" {
			continue
		}
		w.do(method, path, ann.token, zipped).want(415).says("gzip")
		w.do(method, path, ann.token, "\ufeff{}").want(415).says("byte order mark")
		w.do(method, path, ann.token, "\xff\xfe{\x00}\x00").want(415).says("UTF-8")
		w.do(method, path, ann.token, "\xfe\xff\x00{\x00}").want(415).says("UTF-8")
	}
	body := m{"receiver_id": ben.id, "content": "\ufeffinside it is text"}
	w.do("POST", "/api/messages", ann.token, body, "Content-Encoding", "Identity").want(200)
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, text)
	must(t, err)
	must(t, z.Close())
	return b.String()
}

func TestFieldsOfTheWrongType(t *testing.T) {
	w := open(t)
	ann, ben := w.join("ann"), w.join("ben")
	message, group := w.send(ann, ben, "hello"), w.group(ann, ben)
	for _, c := range []struct{ route, body, says string }{
		{"POST /api/users/friends", `{"user_id": "2"}`, "user_id must be a whole number"},
		{"POST /api/users/friends", `{"user_id": 1.5}`, "user_id must be a whole number"},
		{"POST /api/users/friends", `{"user_id": 1e400}`, "user_id must be a whole number"},
		{"POST /api/users/friends", `{"user_id": 9223372036854775808}`, "user_id must be a whole number"},
		{"POST /api/users/friends", `{"user_id": {"id": 1}}`, "user_id must be a whole number"},
		{"POST /api/users/friends", `{"user_id": [1]}`, "user_id must be a whole number"},
		{"POST /api/users/friends", `{"user_id": null}`, "user_id is required"},
		{"POST /api/users/friends", `{}`, "user_id is required"},
		{"POST /api/users/friends", `{"user_id": -1}`, "user_id is required"},
		{"POST /api/users/friends", fmt.Sprintf(`{"user_id": %d}`, ann.id), "your own"},
		{"POST /api/messages", `{"receiver_id": "2", "content": "x"}`, "receiver_id must be a whole number"},
		{"POST /api/messages", `{"chat_id": true, "content": "x"}`, "chat_id must be a whole number"},
		{"POST /api/messages", `{"receiver_id": -5, "content": "x"}`, "positive"},
		{"POST /api/messages", `{"content": "x"}`, "chat_id or receiver_id is required"},
		{"POST /api/messages", `{"receiver_id": 2, "chat_id": 1, "content": "x"}`, "not both"},
		{"POST /api/messages", `{"receiver_id": 2}`, "content is empty"},
		{"POST /api/messages", `{"receiver_id": 2, "content": 17}`, "content must be a string"},
		{"POST /api/messages", `{"receiver_id": 2, "content": {"text": "x"}}`, "content must be a string"},
		{"POST /api/messages", `{"receiver_id": 2, "content": "x", "message_type": 1}`, "message_type must be a string"},
		{"POST /api/messages", `{"receiver_id": 2, "content": "x", "message_type": "hologram"}`, "message_type must be text"},
		{"POST /api/messages", `{"receiver_id": 2, "message_type": "image"}`, "file_id"},
		{"POST /api/messages", `{"receiver_id": 2, "content": "x", "client_msg_id": 1}`, "client_msg_id must be a string"},
		{"POST /api/messages/typing", `{"receiver_id": 2, "is_typing": "yes"}`, "is_typing must be true or false"},
		{"POST /api/messages/typing", `{"receiver_id": "2"}`, "receiver_id must be a whole number"},
		{"POST /api/messages/typing", `{}`, "chat_id or receiver_id is required"},
		{fmt.Sprint("PUT /api/messages/", message), `{"content": []}`, "content must be a string"},
		{fmt.Sprint("PUT /api/messages/", message), `{}`, "content is empty"},
		{"PUT /api/messages/one", `{"content": "x"}`, "id in the path"},
		{"POST /api/chats", `{"title": "x", "member_ids": 2}`, "member_ids must be a list of whole numbers"},
		{"POST /api/chats", `{"title": "x", "member_ids": ["2"]}`, "member_ids must be a list of whole numbers"},
		{"POST /api/chats", `{"title": "x", "member_ids": [1.5]}`, "member_ids must be a list of whole numbers"},
		{"POST /api/chats", `{"title": 1}`, "title must be a string"},
		{"POST /api/chats", `{}`, "title is required"},
		{fmt.Sprint("POST /api/chats/", group, "/members"), `{"user_id": "3"}`, "user_id must be a whole number"},
		{"POST /api/auth/register", `{"phone": 4915112345678, "password": "long enough"}`, "phone must be a string"},
		{"POST /api/auth/login", `{"username": "ann", "password": 123456}`, "password must be a string"},
		{"POST /api/auth/refresh", `{"refresh_token": 1}`, "refresh_token must be a string"},
		{"PUT /api/users/me", `{"bio": 1}`, "bio must be a string"},
	} {
		method, path, _ := strings.Cut(c.route, " ")
		w.do(method, path, ann.token, c.body).want(400).says(c.says)
	}
	// The Content-Type does not matter.
	body := fmt.Sprintf(`{"receiver_id": %d, "content": "<b>ü 😀"}`, ben.id)
	r := w.do("POST", "/api/messages", ann.token, body, "Content-Type", "text/plain").want(200)
	if text(r.at("data", "content")) != "<b>ü 😀" {
		t.Errorf("stored %s", r.body)
	}
	large := m{"receiver_id": ben.id, "content": strings.Repeat("x", 1<<10+1)}
	w.do("POST", "/api/messages", ann.token, large).want(413)
	delete(large, "receiver_id")
	w.do("PUT", fmt.Sprint("/api/messages/", message), ann.token, large).want(413)
}

// An unknown field is refused and not ignored: the client would believe that it was set.
func TestFieldsThatABodyCannotHave(t *testing.T) {
	w := open(t)
	ann, ben := w.join("ann"), w.join("ben")
	for _, route := range bodyRoutes(w.send(ann, ben, "hello"), w.group(ann, ben)) {
		method, path, _ := strings.Cut(route, " ")
		for _, field := range []string{"extra", "id", "role", "", "ü"} {
			w.do(method, path, ann.token, m{field: 1}).want(400).says(`\"` + field + `\"`)
		}
	}
	for _, c := range []struct{ route, body, says string }{
		{"PUT /api/users/me", `{"nickname": "Ann", "password": "another one"}`, `\"password\": it takes nickname, bio, avatar`},
		{"PUT /api/users/me", `{"phone": "+15550001"}`, `\"phone\"`},
		{"POST /api/auth/register", `{"phone": "+15550002", "password": "long enough", "role": "admin"}`, `\"role\"`},
		{"POST /api/auth/register", `{"phone": "+15550002", "password": "long enough", "Addr": "127.0.0.1"}`, `\"Addr\"`},
		{"POST /api/messages", `{"receiver_id": 1, "content": "x", "sender_id": 2}`,
			`\"sender_id\": it takes chat_id, receiver_id, content, message_type, reply_to_id, file_id, client_msg_id`},
		{"POST /api/messages/typing", `{"receiver_id": 1, "typing": true}`, `it takes chat_id, receiver_id, is_typing`},
		{"POST /api/chats", `{"title": "x", "members": [1]}`, `\"members\": it takes title, member_ids`},
		{"PUT /api/users/me", `{"` + strings.Repeat("x", 100_000) + `": 1}`, `xxx\": it takes`},
	} {
		method, path, _ := strings.Cut(c.route, " ")
		r := w.do(method, path, ann.token, c.body).want(400).says(c.says)
		if len(r.body) > 1000 {
			t.Errorf("%s: an answer of %d bytes", c.route, len(r.body))
		}
	}
	if r := w.do("GET", "/api/users/me", ann.token, nil).want(200); text(r.at("data", "nickname")) == "Ann" {
		t.Error("half of a body was stored")
	}
}

// hide keeps the length of a reader from the client, so that it sends chunks.
func hide(r io.Reader) io.Reader { return io.MultiReader(r) }

func TestHugeBodies(t *testing.T) {
	w := open(t)
	ann, ben := w.join("ann"), w.join("ben")
	fits := `{"x":"` + strings.Repeat("x", maxBody-8) + `"}`
	huge := `{"x":"` + strings.Repeat("x", maxBody-7) + `"}`
	for _, route := range bodyRoutes(w.send(ann, ben, "hello"), w.group(ann, ben)) {
		method, path, _ := strings.Cut(route, " ")
		if r := w.do(method, path, ann.token, fits); r.status == 413 {
			t.Errorf("%s: %d bytes are too many", route, len(fits))
		}
		w.do(method, path, ann.token, huge).want(413)
		w.do(method, path, ann.token, hide(strings.NewReader(huge))).want(413)
	}
	zeros := func() io.Reader { return strings.NewReader(strings.Repeat("0", 10<<20)) }
	w.do("POST", "/api/messages", ann.token, zeros()).want(413)
	w.do("POST", "/api/messages", ann.token, hide(zeros())).want(413)
	w.do("POST", "/api/auth/login", "", hide(zeros())).want(413)
	w.do("GET", "/healthz", "", nil)
}

// The server does not wait forever for a body.
func TestSlowBodies(t *testing.T) {
	w := open(t)
	w.server.Impatient(200 * time.Millisecond)
	for path, want := range map[string]string{
		"/api/auth/login": "HTTP/1.1 408 ", "/api/messages": "HTTP/1.1 401 ", "/nowhere": "HTTP/1.1 404 ",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		must(t, err)
		_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", path)
		must(t, err)
		answer, err := io.ReadAll(conn) // until the server closes
		must(t, err)
		if !strings.HasPrefix(string(answer), want) {
			t.Errorf("%s: %s", path, answer)
		}
		conn.Close()
	}
}

// A slowReader delays its first read.
type slowReader struct {
	io.Reader
	after <-chan time.Time
}

func (r slowReader) Read(p []byte) (int, error) {
	<-r.after
	return r.Reader.Read(p)
}

// RequestTimeout does not include the time to receive the body.
func TestTheTimeBeginsAfterTheBody(t *testing.T) {
	const timeout = time.Second
	w := open(t, func(_ *chat.Config, rc *rest.Config) { rc.RequestTimeout = timeout })
	ann, ben := w.join("ann"), w.join("ben")
	late := make(chan time.Time)
	time.AfterFunc(timeout+timeout/10, func() { close(late) })
	body := fmt.Sprintf(`{"receiver_id":%d,"content":"by a slow line"}`, ben.id)
	w.do("POST", "/api/messages", ann.token, slowReader{strings.NewReader(body), late}).want(200)
}

// FuzzBodies sends random bytes to every route that takes a body. There is no panic and no 5xx, and every answer is
// JSON.
func FuzzBodies(f *testing.F) {
	var panics atomic.Int64
	w := newWorld(f, func(_ *chat.Config, rc *rest.Config) { rc.Hooks.Panicked = countPanics(&panics) })
	srv := httptest.NewServer(w.server)
	w.url, w.http = srv.URL, srv.Client()
	ann, ben := w.join("ann"), w.join("ben")
	routes := bodyRoutes(w.send(ann, ben, "hello"), w.group(ann, ben))
	routes = append(routes, "POST /api/files/upload")
	f.Cleanup(srv.Close)

	for i := range routes {
		f.Add(byte(i), []byte(`{"receiver_id":2,"chat_id":1,"content":"x","message_type":"text","user_id":2,"title":"x","member_ids":[1,2]}`))
		f.Add(byte(i), []byte(`{"phone":"+15550001","username":"u","password":"123456","nickname":"n","bio":"b","refresh_token":"a.b"}`))
		f.Add(byte(i), []byte("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../x\"\r\n\r\nx\r\n--b--\r\n"))
		f.Add(byte(i), []byte(`{"content":"`+"\xff"+`"}`))
		f.Add(byte(i), []byte(`[`))
	}
	f.Fuzz(func(t *testing.T, route byte, body []byte) {
		method, path, _ := strings.Cut(routes[int(route)%len(routes)], " ")
		req := httptest.NewRequest(method, path, strings.NewReader(string(body)))
		req.RemoteAddr = "127.0.0.1:1"
		req.Header.Set("Authorization", "Bearer "+ann.token)
		req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		out := httptest.NewRecorder()
		w.server.ServeHTTP(out, req)
		r := reply{t, out.Code, out.Header(), out.Body.Bytes()}
		if r.status >= 500 || panics.Load() > 0 {
			t.Fatalf("%s %s: %d %s\n%s", method, path, r.status, r.body, w.log)
		}
		if r.at("success") != (r.status < 300) {
			t.Fatalf("%s %s: %d %s", method, path, r.status, r.body)
		}
	})
}
