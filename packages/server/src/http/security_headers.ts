/**
 * Headers of every response. Nothing that is answered is a document for a browser to run, frame, cache or guess a type of.
 * There are no CORS headers: pages of other origins cannot read anything.
 */

/** Names in lower case. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};
