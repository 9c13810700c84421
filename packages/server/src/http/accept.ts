/**
 * Whether a client takes what a route answers, by its header Accept (RFC 9110, 12.5.1). Of several ranges that match, the
 * most specific one decides; parameters other than the weight do not count. Problems are sent whatever the header says.
 */

/** True when the header admits the media type, or there is none. */
export function accepts(header: string | undefined, mediaType: string): boolean {
  if (header === undefined || header === '*/*' || header === mediaType || header.trim() === '') return true;
  const [type] = mediaType.split('/');
  let specificity = -1;
  let admitted = false;
  for (const range of header.split(',')) {
    const [name = '', ...parameters] = range.split(';').map(part => part.trim().toLowerCase());
    const found = name === mediaType ? 2 : name === `${type}/*` ? 1 : name === '*/*' ? 0 : -1;
    if (found <= specificity) continue;
    specificity = found;
    admitted = !parameters.some(parameter => /^q=0(?:\.0{0,3})?$/.test(parameter));
  }
  return admitted;
}
