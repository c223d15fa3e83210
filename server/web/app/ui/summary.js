/** @typedef {import('../types.d.ts').Message} Message */

/** What stands for a file where there is no room for it. */
const KINDS = {text: '', image: 'Picture', video: 'Video', audio: 'Audio', file: 'File'}

/** A message in one line. @param {Pick<Message, 'content' | 'message_type'> & Partial<Message>} m */
export function summary(m) {
  if (m.is_recalled) return 'Taken back'
  if (m.is_deleted) return 'Deleted'
  const kind = KINDS[m.message_type] ?? ''
  return [kind, m.content.slice(0, 200).replace(/\s+/g, ' ')].filter(Boolean).join(': ')
}
