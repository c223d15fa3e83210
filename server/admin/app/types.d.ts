// What the API sends (server/API.md), as far as the console uses it.
import type {Signal as SignalOf} from '@preact/signals'

export type Signal<T> = SignalOf<T>

export type Role = 'user' | 'moderator' | 'admin' | 'super_admin'

export interface User {
  id: number
  username?: string
  nickname?: string
  phone?: string
  role: Role
  online?: boolean
  last_seen?: string
  created_at?: string
}

export interface Ban {
  reason: string
  until?: string // left out: for good
  by: number
  created_at: string
}

export interface Account extends User {
  status: 'active' | 'banned' | 'deleted'
  ban?: Ban
}

export interface Analysis {
  total_messages: number
  more_messages?: boolean
  total_chats: number
  last_active_time: string
  violation_count: number
  reported_count: number
  is_banned: boolean
}

export interface Present {
  user_id: number
  username: string
  nickname: string
  role: Role
  online_status: string
  ip_address: string
  device: string
  login_time: string
  last_activity: string
  session_count: number
}

export interface Session {
  token: string
  refresh_token: string
  expires_at: number // milliseconds
  user: User
}

/** Of the user himself, at the security page. */
export interface Device {
  id: string
  device: string
  ip: string
  created_at: string
  last_used: string
  current: boolean
}

export interface Chat {
  id: number
  type: 'direct' | 'group'
  title: string
  owner_id?: number
  member_count?: number
  last_seq: number
  created_at: string
}

export interface Message {
  id: number
  sender_id: number
  receiver_id?: number
  chat_id?: number
  content: string
  message_type: string
  is_recalled: boolean
  is_deleted: boolean
  created_at: string
  sender?: User
}

export interface Report {
  id: number
  reporter_id: number
  user_id: number
  message_id?: number
  reason: string
  comment: string
  content?: string
  status: 'pending' | 'handled'
  action?: string
  handled_by?: number
  handled_at?: string
  created_at: string
  reporter?: User
  user?: User
}

export interface AuditUser {
  id: number
  username?: string
  nickname?: string
  deleted?: boolean
}

export interface AuditEntry {
  id: number
  level: string
  module: string
  message: string
  user_id: number
  target: string
  ip: string
  created_at: string
  user?: AuditUser
  target_user?: AuditUser
}

export interface Alert {
  name: string
  severity: string
  summary: string
}

export interface Node {
  name: string
  up: boolean
  why?: string
  metrics: string
  telemetry: string
  ready: string
}

/** What one scrape of a node says; null: it does not. */
export interface Reading {
  at: number // seconds
  name: string // of the node: its own, or the one it is known by
  started: number | null
  sent: number | null
  delivered: number | null
  requests: number | null
  connections: number | null
  memory: number | null
  goroutines: number | null
  took: Buckets | null // requests
  delivery: Buckets | null // from the sender to the receiver's socket
  version: string
}

/** A histogram: how many were at most so long. */
export type Buckets = Map<number, number>

/** A part of a list, as the API pages it. */
export interface Part<T> {
  items: T[]
  total?: number
  /** There are more than total: the server stopped counting. */
  more_total?: boolean
  limit: number
  offset: number
  more: boolean
  /** What before_id of the next part is, of messages. */
  next?: number
}

export interface Instrument {
  name: string
  family: string
  kind: string
  unit?: string
  description?: string
  scope?: string
  site?: string
  site_unknown?: string
}

export interface Telemetry {
  series: number
  cardinality_limit: number
  instruments: Instrument[]
  conflicts: {family: string, reason: string, resolution: string, first: Instrument, second: Instrument, detail?: string, text: string}[]
}

/** A question before an act. */
export interface Question {
  title: string
  text: string
  verb: string
  danger?: boolean
  fields?: Field[]
  /** Does it, and returns what happened, for people. */
  act: (values: Record<string, string>) => Promise<string>
}

export interface Field {
  name: string
  label: string
  hint?: string
  type?: 'text' | 'password' | 'area' | 'choice'
  options?: [value: string, label: string][]
  required?: boolean
  value?: string
  most?: number // characters
  complete?: string
}
