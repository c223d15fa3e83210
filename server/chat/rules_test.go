package chat

import (
	"strings"
	"testing"
)

func TestPhones(t *testing.T) {
	for phone, ok := range map[string]bool{
		"12345": true, "+8613800138000": true, "12345678901234567890": true,
		"": false, "+": false, "1234": false, "123456789012345678901": false, "12345a": false, "1 2345": false,
		"++12345": false, "１２３４５": false, "12345\n": false,
	} {
		if err := checkPhone(phone); (err == nil) != ok {
			t.Errorf("checkPhone(%q) = %v", phone, err)
		}
	}
}

func TestUsernames(t *testing.T) {
	for name, ok := range map[string]bool{
		"": true, "alice": true, "a.b-c_1": true, "李雷": true, "_": true,
		"12345": false, "a b": false, "a\u200bb": false, "<script>": false, "a@b": false,
		"राहुल": true, "สมชาย": true, "தமிழ்": true, "مُحَمَّد": true, "Ünal": true, "e\u0301": true, "राहुल_k1": true, "张san": true,
		"カタカナと漢字": true, "пётр": true, "Ελένη": true, "한글han": true,
		"аdmin": false, "pаypal": false, "αdmin": false, "пётр_b": false, "\u0301a": false, "a_\u0301": false, "1\u0301a": false, "ไทยहिन्दी": false,
		strings.Repeat("a", 64): true, strings.Repeat("a", 65): false, "\xff": false,
	} {
		if err := checkUsername(name); (err == nil) != ok {
			t.Errorf("checkUsername(%q) = %v", name, err)
		}
	}
}

func TestDrafts(t *testing.T) {
	const limit = 100
	to := Target{ReceiverID: 1}
	for name, c := range map[string]struct {
		draft Draft
		kind  Kind
	}{
		"text":                  {Draft{Target: to, Content: "x"}, ""},
		"text at the limit":     {Draft{Target: to, Content: strings.Repeat("x", limit)}, ""},
		"file":                  {Draft{Target: to, Type: TypeFile, FileID: 1}, ""},
		"image by its address":  {Draft{Target: to, Type: TypeImage, Content: "https://…"}, ""},
		"nothing":               {Draft{Target: to}, KindInvalid},
		"text with a file":      {Draft{Target: to, Content: "x", FileID: 1}, KindInvalid},
		"image without a file":  {Draft{Target: to, Type: TypeImage}, KindInvalid},
		"unknown type":          {Draft{Target: to, Content: "x", Type: "poll"}, KindInvalid},
		"too long":              {Draft{Target: to, Content: strings.Repeat("x", limit+1)}, KindTooLarge},
		"not UTF-8":             {Draft{Target: to, Content: "\xff"}, KindInvalid},
		"long client_msg_id":    {Draft{Target: to, Content: "x", ClientMsgID: strings.Repeat("x", 129)}, KindInvalid},
		"client_msg_id no text": {Draft{Target: to, Content: "x", ClientMsgID: "\xff"}, KindInvalid},
		"negative reply":        {Draft{Target: to, Content: "x", ReplyToID: -1}, KindInvalid},
		"no target":             {Draft{Content: "x"}, KindInvalid},
		"two targets":           {Draft{Target: Target{ChatID: 1, ReceiverID: 1}, Content: "x"}, KindInvalid},
		"negative target":       {Draft{Target: Target{ChatID: -1}, Content: "x"}, KindInvalid},
	} {
		if got := KindOf(c.draft.check(limit)); got != c.kind {
			t.Errorf("%s: %q, want %q", name, got, c.kind)
		}
	}
}

func TestFileNames(t *testing.T) {
	for name, want := range map[string]string{
		"a.txt": "a.txt", "../../etc/passwd": "passwd", `C:\Users\me\b.doc`: "b.doc", "/": "file", "..": "file", "": "file",
		"a\nb\x00.txt": "ab.txt", "e\u202egpj.exe": "egpj.exe", "\xff.txt": "\uFFFD.txt", "照片.jpg": "照片.jpg",
		"a\u2067gpj\u2069.exe": "agpj.exe", "a\u2028b\u2029c": "abc", "\ufeffa.txt": "a.txt", "a\u0085b": "ab",
		// Joiners: Persian "می‌خواهم", a family, the flag of Wales.
		"می\u200cخواهم.pdf": "می\u200cخواهم.pdf", "क्\u200dष.txt": "क्\u200dष.txt",
		"👩\u200d👩\u200d👧.png": "👩\u200d👩\u200d👧.png", "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f.svg": "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f.svg",
		"\u200f\u05e9\u05dc\u05d5\u05dd.txt": "\u200f\u05e9\u05dc\u05d5\u05dd.txt",
		"\u200d":                             "file", " ": "file",
	} {
		if got := cleanName(name); got != want {
			t.Errorf("cleanName(%q) = %q, want %q", name, got, want)
		}
	}
	if got := cleanName(strings.Repeat("名", 200)); len(got) > maxFileName || !strings.HasPrefix(got, "名") {
		t.Errorf("a long name became %q", got)
	}
}

func FuzzFileName(f *testing.F) {
	f.Add("../a")
	f.Add("\x00")
	f.Fuzz(func(t *testing.T, name string) {
		got := cleanName(name)
		if got == "" || got == "." || got == ".." || len(got) > maxFileName || strings.ContainsAny(got, "/\\\x00\n\r") {
			t.Errorf("cleanName(%q) = %q", name, got)
		}
	})
}

func TestMediaTypes(t *testing.T) {
	for in, want := range map[string]string{
		"image/png": "image/png", "text/plain; charset=utf-8": "text/plain; charset=utf-8",
		"": defaultMIMEType, "png": defaultMIMEType, "text/html\r\nX: y": defaultMIMEType,
		"a/" + strings.Repeat("b", 253): "a/" + strings.Repeat("b", 253), "a/b" + strings.Repeat(" ", 300) + "; c=d": "a/b; c=d",
	} {
		if got, err := cleanType(in); got != want || err != nil {
			t.Errorf("cleanType(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"a/" + strings.Repeat("b", 254), `a/b; x="` + strings.Repeat("é", 100) + `"`} {
		if got, err := cleanType(in); KindOf(err) != KindInvalid {
			t.Errorf("cleanType(%q) = %q, %v", in, got, err)
		}
	}
}
