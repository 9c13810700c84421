/**
 * UTF-8 for the few texts of this package: names hashed into ids, tokens, error messages. The platform's encoder and
 * decoder, declared here in the one shape used, because the package's `lib` is pure ES.
 */

interface Utf8Encoder {
  encode(text: string): Uint8Array;
}
interface Utf8Decoder {
  decode(bytes: Uint8Array): string;
}
declare const TextEncoder: new () => Utf8Encoder;
declare const TextDecoder: new () => Utf8Decoder;

/** UTF-8 bytes; a lone surrogate becomes U+FFFD. */
export function utf8Bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Text of UTF-8 bytes; malformed ones become U+FFFD, never an exception. */
export function utf8Text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
