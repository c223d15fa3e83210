package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/onemeter/onemeter/server"
)

// Options that several verbs have.
var (
	whom = []option{
		{name: "username", arg: "NAME", usage: "the account with this username"},
		{name: "phone", arg: "PHONE", usage: "the account with this phone number"},
		{name: "id", arg: "ID", usage: "the account with this id"},
	}
	pages = []option{
		{name: "page", arg: "NUMBER", usage: "which page, counted from 1"},
		{name: "limit", arg: "NUMBER", usage: "lines per page, at most 200; default 50"},
	}
	roles  = []string{"user", "moderator", "admin", "super_admin"}
	reason = option{name: "reason", arg: "TEXT", usage: "the reason; the user sees it"}
)

func ofWhom(more ...option) []option { return append(append([]option{}, whom...), more...) }

// adminVerbs is the table of all commands of imserver admin.
var adminVerbs = []adminVerb{
	{"grant", "gives an account a role", ofWhom(option{name: "role", arg: "ROLE", usage: "the role; default super_admin", choices: roles[1:]}),
		func(c *adminCall, ctx context.Context) (answer, error) {
			return c.setRole(ctx, cmp.Or(c.values["role"], "super_admin"))
		}},
	{"revoke", "removes the role of an account", whom,
		func(c *adminCall, ctx context.Context) (answer, error) { return c.setRole(ctx, "user") }},
	{"list", "lists the accounts that have a role", nil, (*adminCall).list},
	{"ban", "bans an account, and ends its sessions", ofWhom(option{name: "duration", arg: "TIME", usage: "how long, such as 90m or 24h; without it, the ban is permanent"}, reason), (*adminCall).ban},
	{"unban", "ends a ban", whom, (*adminCall).unban},
	{"delete", "deletes an account, as its user can; the messages that others received stay", whom, (*adminCall).delete},
	{"reset-password", "sets a new password for an account, prints it once and ends the account's sessions",
		ofWhom(option{name: "stdin", usage: "read the password from the first line of standard input, and do not print it"}), (*adminCall).resetPassword},
	{"reset-2fa", "turns two-factor login off for a user who has lost the second factor, and ends the account's sessions", whom, (*adminCall).resetTwoFactor},
	{"sessions", "lists the sessions of an account", whom, (*adminCall).sessions},
	{"logout", "ends all sessions of an account", ofWhom(reason), (*adminCall).logout},
	{"users", "lists accounts, the newest first", append([]option{
		{name: "name", arg: "TEXT", usage: "only accounts whose username or nickname contains this text"},
		{name: "phone", arg: "DIGITS", usage: "only accounts whose phone number begins with these digits"},
		{name: "status", arg: "STATUS", usage: "only accounts with this status", choices: []string{"active", "banned", "deleted"}},
		{name: "role", arg: "ROLE", usage: "only accounts with this role", choices: roles},
	}, pages...), (*adminCall).users},
	{"audit", "lists what the staff did, and what was refused to them, the newest first", append([]option{
		{name: "level", arg: "LEVEL", usage: "info for what was done, warning for what was refused", choices: []string{"info", "warning"}},
		{name: "module", arg: "MODULE", usage: "only entries of this part", choices: []string{"access", "users", "roles", "messages", "chats", "reports", "system"}},
		{name: "target", arg: "TARGET", usage: "only entries about this, such as user:42"},
		{name: "by", arg: "ID", usage: "only entries of this user; 0 is the operator"},
	}, pages...), (*adminCall).audit},
	{"backup", "copies a consistent snapshot of an SQLite database, and the files, into a new folder; the server may run meanwhile",
		[]option{{name: "to", arg: "FOLDER", usage: "the new folder"}}, (*adminCall).backup},
}

// who returns the account that the options name.
func (c *adminCall) who() (w server.Who, err error) {
	w.Username, w.Phone = c.values["username"], c.values["phone"]
	if text := c.values["id"]; text != "" {
		if w.ID, err = strconv.ParseInt(text, 10, 64); err != nil || w.ID <= 0 {
			return w, usageError("--id is %q: want a positive number", text)
		}
	}
	return w, nil
}

// number returns the value of a numeric option, or 0 if it is not given.
func (c *adminCall) number(name string) (int, error) {
	text := c.values[name]
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 {
		return 0, usageError("--%s is %q: want a positive number", name, text)
	}
	return int(n), nil
}

// said returns an answer whose text is one line.
func said(value any, format string, args ...any) answer {
	return answer{value, func(w io.Writer) { _, _ = fmt.Fprintln(w, plain(fmt.Sprintf(format, args...))) }}
}

// table returns an answer whose text is a table, with a line for each row.
func table[T any](value any, head string, rows []T, cells func(T) []any) answer {
	return answer{value, func(w io.Writer) {
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		_, _ = fmt.Fprintln(t, strings.ReplaceAll(head, " ", "\t"))
		for _, r := range rows {
			var line []string
			for _, cell := range cells(r) {
				text := fmt.Sprint(cell)
				if at, ok := cell.(time.Time); ok {
					if text = ""; !at.IsZero() {
						text = at.UTC().Format(time.RFC3339)
					}
				}
				line = append(line, cmp.Or(plain(text), "-"))
			}
			_, _ = fmt.Fprintln(t, strings.Join(line, "\t"))
		}
		_ = t.Flush()
	}}
}

func (c *adminCall) setRole(ctx context.Context, role string) (answer, error) {
	who, err := c.who()
	if err != nil {
		return answer{}, err
	}
	a, err := c.op.SetRole(ctx, who, role)
	return said(a, "%s (id %d) is %s", cmp.Or(a.Username, a.Phone), a.ID, a.Role), err
}

func (c *adminCall) list(ctx context.Context) (answer, error) {
	staff, err := c.op.Staff(ctx)
	return accountsOf(staff), err
}

func (c *adminCall) ban(ctx context.Context) (answer, error) {
	who, err := c.who()
	if err != nil {
		return answer{}, err
	}
	var d time.Duration
	if text := c.values["duration"]; text != "" {
		if d, err = time.ParseDuration(text); err != nil || d <= 0 {
			return answer{}, usageError("--duration is %q: want a time such as 90m or 24h; leave it out for a permanent ban", text)
		}
	}
	a, err := c.op.Ban(ctx, who, c.values["reason"], d)
	if err != nil {
		return answer{}, err
	}
	until := "permanently"
	if !a.Ban.Until.IsZero() {
		until = "until " + a.Ban.Until.UTC().Format(time.RFC3339)
	}
	return said(a, "%s (id %d) is banned %s", cmp.Or(a.Username, a.Phone), a.ID, until), nil
}

func (c *adminCall) unban(ctx context.Context) (answer, error) {
	who, err := c.who()
	if err != nil {
		return answer{}, err
	}
	a, err := c.op.Unban(ctx, who)
	return said(a, "%s (id %d) is no longer banned", cmp.Or(a.Username, a.Phone), a.ID), err
}

func (c *adminCall) delete(ctx context.Context) (answer, error) {
	who, err := c.who()
	if err != nil {
		return answer{}, err
	}
	a, err := c.op.Delete(ctx, who)
	return said(a, "%s (id %d) is deleted", cmp.Or(a.Username, a.Phone), a.ID), err
}

// maxLine bounds the line with a password, in bytes.
const maxLine = 4 << 10

func (c *adminCall) resetPassword(ctx context.Context) (answer, error) {
	who, err := c.who()
	if err != nil {
		return answer{}, err
	}
	password, given := "", c.values["stdin"] == "true"
	if given {
		line, err := bufio.NewReader(io.LimitReader(c.in, maxLine)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return answer{}, err
		}
		if password = strings.TrimRight(line, "\r\n"); password == "" {
			return answer{}, usageError("standard input has no password: write it in the first line")
		}
	}
	a, set, err := c.op.ResetPassword(ctx, who, password)
	value := map[string]any{"user_id": a.ID, "username": a.Username}
	if given {
		return said(value, "%s (id %d) now has the password that you gave", cmp.Or(a.Username, a.Phone), a.ID), err
	}
	value["password"] = set
	return said(value, "%s (id %d) now has the password: %s", cmp.Or(a.Username, a.Phone), a.ID, set), err
}

func (c *adminCall) resetTwoFactor(ctx context.Context) (answer, error) {
	who, err := c.who()
	if err != nil {
		return answer{}, err
	}
	a, ended, err := c.op.ResetTwoFactor(ctx, who)
	value := map[string]any{"user_id": a.ID, "sessions_ended": ended}
	return said(value, "%s (id %d) now logs in with the password alone: %d sessions ended", cmp.Or(a.Username, a.Phone), a.ID, ended), err
}

func (c *adminCall) sessions(ctx context.Context) (answer, error) {
	who, err := c.who()
	if err != nil {
		return answer{}, err
	}
	sessions, err := c.op.Sessions(ctx, who)
	if sessions == nil {
		sessions = []server.SessionInfo{} // not null in JSON
	}
	return answer{sessions, sessionTable(sessions)}, err
}

func (c *adminCall) logout(ctx context.Context) (answer, error) {
	who, err := c.who()
	if err != nil {
		return answer{}, err
	}
	a, ended, err := c.op.Logout(ctx, who, c.values["reason"])
	value := map[string]any{"user_id": a.ID, "sessions_ended": ended}
	return said(value, "%s (id %d) is logged out: %d sessions ended", cmp.Or(a.Username, a.Phone), a.ID, ended), err
}

// page returns the values of --page and --limit.
func (c *adminCall) page() (page, limit int, err error) {
	page, err = c.number("page")
	if err == nil {
		limit, err = c.number("limit")
	}
	if err == nil && limit > server.MaxPage {
		err = usageError("--limit is %d: want at most %d; --page goes on", limit, server.MaxPage)
	}
	return page, limit, err
}

func (c *adminCall) users(ctx context.Context) (answer, error) {
	page, limit, err := c.page()
	if err != nil {
		return answer{}, err
	}
	found, err := c.op.Users(ctx, server.UserQuery{
		Name: c.values["name"], Phone: c.values["phone"], Status: c.values["status"], Role: c.values["role"], Page: page, Limit: limit,
	})
	return withTotal(accountsOf(found.Items), found), err
}

func (c *adminCall) audit(ctx context.Context) (answer, error) {
	page, limit, err := c.page()
	if err != nil {
		return answer{}, err
	}
	q := server.AuditQuery{Level: c.values["level"], Module: c.values["module"], Target: c.values["target"], Page: page, Limit: limit}
	if text := c.values["by"]; text != "" {
		by, err := strconv.ParseInt(text, 10, 64)
		if err != nil || by < 0 {
			return answer{}, usageError("--by is %q: want the id of a user, or 0 for the operator", text)
		}
		q.By = &by
	}
	found, err := c.op.Audit(ctx, q)
	return withTotal(auditTable(found.Items), found), err
}

// withTotal adds the total number of items to a page.
func withTotal[T any](a answer, l server.Listing[T]) answer {
	if l.Items == nil {
		l.Items = []T{}
	}
	value, of := map[string]any{"items": l.Items, "total": l.Total}, "of"
	if l.MoreTotal {
		value["more_total"], of = true, "of more than"
	}
	return answer{value, func(w io.Writer) {
		a.words(w)
		_, _ = fmt.Fprintf(w, "%d %s %d\n", len(l.Items), of, l.Total)
	}}
}

func (c *adminCall) backup(ctx context.Context) (answer, error) {
	to := c.values["to"]
	if to == "" {
		return answer{}, usageError("--to is required: give a new folder")
	}
	b, err := c.op.Backup(ctx, to, func(p server.Progress) {
		switch {
		case c.asJSON:
			_ = json.NewEncoder(c.errOut).Encode(map[string]any{"progress": p.What, "done_bytes": p.Done, "of_bytes": p.Most})
		case p.Most > 0:
			_, _ = fmt.Fprintf(c.errOut, "%s: %s of %s\n", p.What, inMiB(p.Done), inMiB(p.Most))
		default:
			_, _ = fmt.Fprintf(c.errOut, "%s: %s\n", p.What, inMiB(p.Done))
		}
	})
	return said(b, "%s has the database (%s) and %d files (%s)", to, inMiB(b.Database), b.Files, inMiB(b.FileBytes)), err
}

func inMiB(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
