package main

import (
	"fmt"
	"io"

	"github.com/onemeter/onemeter/server"
)

func accountsOf(accounts []server.Account) answer {
	if accounts == nil {
		accounts = []server.Account{}
	}
	return table(accounts, "ID USERNAME PHONE ROLE STATUS CREATED SEEN REASON", accounts, func(a server.Account) []any {
		reason := ""
		if a.Ban != nil {
			reason = a.Ban.Reason
		}
		return []any{a.ID, a.Username, a.Phone, a.Role, a.Status, a.CreatedAt, a.LastSeen, reason}
	})
}

func sessionTable(sessions []server.SessionInfo) func(io.Writer) {
	return table(nil, "CREATED USED IP DEVICE", sessions, func(s server.SessionInfo) []any {
		return []any{s.CreatedAt, s.LastUsed, s.IP, s.Device}
	}).words
}

func auditTable(entries []server.AuditEntry) answer {
	return table(nil, "ID TIME LEVEL MODULE BY IP TARGET MESSAGE", entries, func(e server.AuditEntry) []any {
		by, target := "0 (operator)", e.Target
		if e.User != nil {
			by = withName(fmt.Sprint(e.UserID), e.User.Name())
		}
		if e.TargetUser != nil {
			target = withName(target, e.TargetUser.Name())
		}
		return []any{e.ID, e.CreatedAt, e.Level, e.Module, by, e.IP, target, e.Message}
	})
}

func withName(id, name string) string {
	if name == "" {
		return id
	}
	return id + " (" + name + ")"
}
