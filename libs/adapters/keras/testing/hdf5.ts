/** HDF5 files by h5wasm's own writer. */
import { File, ready, type Group } from 'h5wasm';
import type { H5Module } from '../src/h5wasm.types.js';
import type { Array2 } from './files.js';

export type Content = { readonly [path: string]: Array2 | ((group: Group, name: string) => void) };

/** `attributes` by path; `content` by path, an array or what writes it. */
export async function hdf5(
  content: Content,
  attributes: Record<string, Record<string, string | string[]>> = {},
): Promise<Buffer> {
  const { FS } = (await ready) as unknown as H5Module;
  const path = `/${crypto.randomUUID()}`;
  const file = new File(path, 'w');
  const groups = new Map<string, Group>([['', file]]);
  const group = (at: string): Group => {
    const known = groups.get(at);
    if (known !== undefined) return known;
    const cut = at.lastIndexOf('/');
    const made = group(at.slice(0, Math.max(cut, 0))).create_group(at.slice(cut + 1));
    groups.set(at, made);
    return made;
  };
  for (const [at, value] of Object.entries(content)) {
    const cut = at.lastIndexOf('/');
    const [parent, name] = [group(at.slice(0, Math.max(cut, 0))), at.slice(cut + 1)];
    if (typeof value === 'function') value(parent, name);
    else parent.create_dataset({ name, data: value.data, shape: value.shape, dtype: '<f4' });
  }
  for (const [at, values] of Object.entries(attributes))
    for (const [name, value] of Object.entries(values)) group(at).create_attribute(name, value);
  file.flush();
  file.close();
  const bytes = Buffer.from(FS.readFile(path));
  FS.unlink(path);
  return bytes;
}
