package main

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestFlagsOverrideTheEnvironment(t *testing.T) {
	cfg, err := parse([]string{"--addr", ":9"}, environment("IMADMIN_ADDR", ":8", "IMADMIN_BACKEND", "http://a:1, HTTP://B:2/", "IMADMIN_TRUSTED_PROXIES", "10.1.2.3/8,::1"))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.addr != ":9" || cfg.backends.String() != "http://a:1,http://b:2" || cfg.trusted.String() != "10.0.0.0/8,::1/128" {
		t.Errorf("%+v", cfg)
	}
}

func TestGarbageIsNamed(t *testing.T) {
	for args, want := range map[string]string{
		"--backend=":                                  "an address is empty",
		"--backend=http://a:1,":                       "an address is empty",
		"--backend=localhost:8080":                    `"localhost:8080" is not the address of a server: write http://host:port`,
		"--backend=ftp://a":                           "is not the address of a server",
		"--backend=http://":                           "is not the address of a server",
		"--backend=http://a b":                        "is not the address of a server",
		"--backend=http://[::1":                       "is not the address of a server",
		"--backend=http://a:x":                        "is not the address of a server",
		"--backend=http://a/api":                      "has more than host and port",
		"--backend=http://a?x":                        "has more than host and port",
		"--backend=http://me:secret@a":                "has a username or a password",
		"--backend=http://a:1,http://A:1/":            "http://a:1 is given twice",
		"--backend=\x00":                              "is not the address of a server",
		"--addr=3001":                                 `"3001" is not host:port`,
		"--addr=:99999":                               "is not host:port",
		"--trusted-proxies=10.0.0.0/99":               "is not a network",
		"--max-body=1":                                "is not a number of bytes",
		"--shutdown-timeout=-1s":                      "is not a time",
		"--log-level=loud":                            "is not a level",
		"--log-format=xml":                            "is not a format",
		"--nothing":                                   "unknown flag --nothing",
		"http://a:1":                                  `unknown argument "http://a:1"`,
		"--backend=" + strings.Repeat("http://a,", 9): "is given twice",
	} {
		_, err := parse([]string{args}, environment())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error has the password: %v", args, err)
		}
	}
	_, err := parse([]string{"--addr=x", "--log-level=x"}, environment("IMADMIN_BACKEND", "x"))
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("three faults: %v", err)
	}
}

func TestUsageListsEverySetting(t *testing.T) {
	var out, log bytes.Buffer
	if code := run(context.Background(), []string{"--help"}, environment(), &out, &log); code != exitOK {
		t.Errorf("exit code %d: %s", code, log.String())
	}
	cfg := defaultConfig()
	for _, s := range settings(&cfg) {
		if !strings.Contains(out.String(), "--"+s.name+" "+s.arg+"   ("+s.env+")") {
			t.Errorf("--help lacks %s", s.name)
		}
	}
	if _, err := parse([]string{"-h"}, environment()); !errors.Is(err, errHelp) {
		t.Error(err)
	}
}

func TestCompletionKnowsEverySetting(t *testing.T) {
	cfg := defaultConfig()
	for _, shell := range []string{"bash", "fish", "zsh"} {
		text, err := completion([]string{shell})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range settings(&cfg) {
			if !strings.Contains(text, s.name) {
				t.Errorf("%s: no %s", shell, s.name)
			}
		}
	}
	var out, log bytes.Buffer
	if code := run(context.Background(), []string{"completion"}, environment(), &out, &log); code != exitUsage || !strings.Contains(log.String(), "bash, fish or zsh") {
		t.Errorf("%d %s", code, log.String())
	}
}

func TestWrongSettingsExit(t *testing.T) {
	var out, log bytes.Buffer
	if code := run(context.Background(), []string{"--backend=nonsense"}, environment(), &out, &log); code != exitUsage || !strings.Contains(log.String(), "nonsense") {
		t.Errorf("%d %s", code, log.String())
	}
}

func TestUnknownVariablesAreFound(t *testing.T) {
	got := unknown([]string{"IMADMIN_ADR=:1", "IMADMIN_ADDR=:2", "IM_ADR=x", "PATH=/"})
	if !slices.Equal(got, []string{"IMADMIN_ADR"}) {
		t.Error(got)
	}
}

func TestSettingsGivenTwice(t *testing.T) {
	if _, err := parse([]string{"--addr=:1", "--addr=:2"}, environment()); err == nil || err.Error() != "--addr is given twice" {
		t.Error(err)
	}
}
