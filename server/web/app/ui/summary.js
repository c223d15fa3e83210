/** @typedef {import('../types.d.ts').Message} Message */

/** The short name of a file's type. */
const KINDS = {text: '', image: 'Picture', video: 'Video', audio: 'Audio', file: 'File'}

/** A message in one line. @param {Pick<Message, 'content' | 'message_type'> & Partial<Message>} m */
export function summary(m) {
  if (m.is_recalled) return 'Recalled'
  if (m.is_deleted) return 'Deleted'
  const kind = KINDS[m.message_type] ?? ''
  return [kind, m.content.slice(0, 200).replace(/\s+/g, ' ')].filter(Boolean).join(': ')
}
