package observe

import (
	"context"
	"database/sql"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// State is what the owners of the server's parts say of themselves when
// metrics are collected.
type State struct {
	OnlineUsers int
	ActiveUsers int
	Connections int
	FramesSent  int64
	BytesSent   int64
	BytesRead   int64

	DB    sql.DBStats
	MySQL bool // whether DB is MySQL: the mysql_* gauges are 0 otherwise

	SlowQueries          int64
	RedisUsed, RedisMax  int64 // bytes
	WebRTCPeers          int
	TURNAsked, TURNFails int64
}

// Watch reads the state at every collection, and is called once. No number is
// kept here, so none can drift from what it counts.
func (o *Observer) Watch(read func() State) error {
	ins := o.ins
	used := newLabels(attribute.String("state", "used")).observe
	idle := newLabels(attribute.String("state", "idle")).observe
	_, err := o.meter.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		s := read()
		to.ObserveInt64(ins.onlineUsers, int64(s.OnlineUsers))
		to.ObserveInt64(ins.activeUsers, int64(s.ActiveUsers))
		to.ObserveInt64(ins.connections, int64(s.Connections))
		to.ObserveInt64(ins.framesOut, s.FramesSent)
		to.ObserveInt64(ins.bytesOut, s.BytesSent)
		to.ObserveInt64(ins.bytesIn, s.BytesRead)
		to.ObserveFloat64(ins.deliveryDelay, o.delay.mean(time.Now()).Seconds())

		to.ObserveInt64(ins.dbOpen, int64(s.DB.InUse), used...)
		to.ObserveInt64(ins.dbOpen, int64(s.DB.Idle), idle...)
		to.ObserveFloat64(ins.dbWait, s.DB.WaitDuration.Seconds())
		var mysql sql.DBStats
		if s.MySQL {
			mysql = s.DB
		}
		to.ObserveInt64(ins.mysqlActive, int64(mysql.InUse))
		to.ObserveInt64(ins.mysqlIdle, int64(mysql.Idle))
		to.ObserveInt64(ins.mysqlMax, int64(mysql.MaxOpenConnections))

		to.ObserveInt64(ins.mysqlSlow, s.SlowQueries)
		to.ObserveInt64(ins.redisMemory, s.RedisUsed)
		to.ObserveInt64(ins.redisMemoryMax, s.RedisMax)
		to.ObserveInt64(ins.webrtcActive, int64(s.WebRTCPeers))
		to.ObserveInt64(ins.turnAttempts, s.TURNAsked)
		to.ObserveInt64(ins.turnFailures, s.TURNFails)
		return nil
	}, ins.onlineUsers, ins.activeUsers, ins.connections, ins.framesOut, ins.bytesOut, ins.bytesIn,
		ins.deliveryDelay, ins.dbOpen, ins.dbWait, ins.mysqlActive, ins.mysqlIdle, ins.mysqlMax,
		ins.mysqlSlow, ins.redisMemory, ins.redisMemoryMax, ins.webrtcActive, ins.turnAttempts, ins.turnFailures)
	return err
}
