/**
 * The version of the package that this code is part of: of the manifest that lies nearest above it. From sources and as
 * compiled that is the server's own, in the bundled command the command's; all published packages share one version.
 */
import {existsSync, readFileSync} from 'node:fs';

/** The version in the nearest manifest above this module. */
export function packageVersion(): string {
  let manifest = new URL('package.json', import.meta.url);
  while (!existsSync(manifest)) {
    const above = new URL('../package.json', manifest);
    if (above.href === manifest.href) throw new Error(`no package.json lies above ${import.meta.url}`);
    manifest = above;
  }
  return (JSON.parse(readFileSync(manifest, 'utf8')) as {version: string}).version;
}
