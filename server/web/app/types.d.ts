// What the public API sends and takes (server/API.md), as far as the client uses it.
import type {Signal as SignalOf} from '@preact/signals'

export type Signal<T> = SignalOf<T>

export interface User {
  id: number
  phone?: string
  username?: string
  nickname?: string
  online?: boolean
  last_seen?: string
  deleted?: boolean
}

/** A login, as its user sees it. */
export interface SessionInfo {
  id: string
  device: string
  ip: string
  created_at: string
  last_used: string
  current: boolean
}

export interface Session {
  token: string
  refresh_token: string
  expires_at: number // milliseconds
  user: User
}

/** A conversation, as requests name it: one of the two. */
export interface Target {
  chat_id?: number
  receiver_id?: number
}

export type MessageType = 'text' | 'image' | 'video' | 'audio' | 'file'

export interface Message {
  id: number
  sender_id: number
  receiver_id?: number
  chat_id?: number
  seq: number
  content: string
  message_type: MessageType
  status: 'sent' | 'delivered' | 'read' | 'edited' | 'recalled'
  is_edited: boolean
  is_recalled: boolean
  is_deleted: boolean
  is_hidden?: boolean // I deleted it for myself
  reply_to_id?: number
  file_id?: number
  file_gone?: boolean // its owner deleted it
  client_msg_id?: string
  created_at: string
  sender?: User
}

export interface Draft {
  content: string
  message_type: MessageType
  file_id?: number
  reply_to_id?: number
}

/** A message that the server has not acknowledged. */
export interface Pending extends Draft {
  client_msg_id: string
  created_at: string
  state: 'uploading' | 'waiting' | 'failed'
  why?: string // of failed: what to do
  file?: File // of uploading
  progress?: number // of uploading, from 0 to 1
}

export interface Dialog {
  id: number
  type: 'direct' | 'group'
  title: string
  member_count?: number
  peer?: User
  receiver_id?: number
  chat_id?: number
  last_seq: number
  last_message: Message | null
  unread_count: number
  created_at: string
}

export interface Member {
  user_id: number
  role: 'owner' | 'admin' | 'member'
  muted: boolean
  user?: User
}

/** Of whom I take what without being asked. */
export type Audience = 'everybody' | 'contacts'

export interface Privacy {
  messages: Audience
  groups: Audience
  calls: Audience
}

/** What a stranger wants. */
export interface Request {
  id: number
  kind: 'message' | 'group' | 'call'
  from_id: number
  from?: User
  chat?: {id: number, title?: string}
  message?: Message
  created_at: string
}

/** What the staff tells a user, or everybody. */
export interface StaffNotice {
  id: number
  kind: 'broadcast' | 'warning'
  message: string
  created_at: string
}

/** A change of a group. */
export interface ChatUpdate {
  chat_id: number
  change: 'created' | 'added' | 'removed' | 'left' | 'promoted' | 'demoted' | 'muted' | 'unmuted' | 'banned' | 'unbanned' | 'owner' | 'renamed' | 'deleted'
  by: number
  user_id?: number
  title?: string
  chat?: {id: number, title: string, member_count?: number, created_at: string}
}

export interface FileInfo {
  id: number
  name: string
  size: number
  content_type: string
}

/** How far a message has come, by member. */
export interface Receipts {
  read_by: {user_id: number, read_at?: string}[]
  delivered_to: {user_id: number, delivered_at?: string}[]
}

export interface CallFrame {
  call_id: string
  from_user: number
  to_user: number
  call_type?: 'audio' | 'video'
  sdp?: RTCSessionDescriptionInit | string
  ice_candidates?: RTCIceCandidateInit[]
  ice_candidate?: RTCIceCandidateInit | null
  status?: 'ringing' | 'answered' | 'connected' | 'ended'
  reason?: string
  duration?: number
}
