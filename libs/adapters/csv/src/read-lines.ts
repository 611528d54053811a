/** Text in lines, in bounded memory whatever the file holds. */
import { createReadStream } from 'node:fs';
import { TextDecoder } from 'node:util';
import { RiverrunError, errorMessage } from '#domain/errors';

export type TextSource = string | AsyncIterable<Uint8Array | string>;

/** Lines of one chunk: a line longer than allowed stands there as null. */
export type Lines = (string | null)[];

/** Line ends may be LF, CRLF or, in a file without any LF at its start, CR. UTF-8, or UTF-16 with a byte order mark. */
export async function* readLines(source: TextSource, longest: number): AsyncGenerator<Lines> {
  let decoder: TextDecoder | undefined;
  let end: '\n' | '\r' | undefined;
  let rest = '';
  let skipping = false;

  const split = (text: string, last: boolean): Lines => {
    end ??= text.includes('\n') || !text.includes('\r') ? '\n' : '\r';
    const lines: Lines = [];
    let from = 0;
    // What was searched in the round before holds no line end.
    for (let to = text.indexOf(end, rest.length); to >= 0; to = text.indexOf(end, from)) {
      const line = text.slice(from, text[to - 1] === '\r' && to > from ? to - 1 : to);
      lines.push(skipping || line.length > longest ? null : line);
      skipping = false;
      from = to + 1;
    }
    rest = text.slice(from);
    if (last && (rest !== '' || skipping)) {
      lines.push(skipping || rest.length > longest ? null : rest.replace(/\r$/, ''));
    } else if (rest.length > longest) {
      skipping = true;
      rest = '';
    }
    return lines;
  };

  for await (const chunk of withFullStart(opened(source))) {
    if (typeof chunk === 'string') {
      yield split(rest + (rest === '' ? chunk.replace(/^\ufeff/, '') : chunk), false);
    } else {
      decoder ??= new TextDecoder(encodingOf(chunk));
      yield split(rest + decoder.decode(chunk, { stream: true }), false);
    }
  }
  const tail = rest + (decoder?.decode() ?? '');
  yield split(tail, true);
}

const encodingOf = (start: Uint8Array): string =>
  start[0] === 0xff && start[1] === 0xfe ? 'utf-16le' : start[0] === 0xfe && start[1] === 0xff ? 'utf-16be' : 'utf-8';

/** Encoding, line ends and ways of writing numbers are told from the first chunk: it must not be a few bytes. */
const START = 1 << 16;

async function* withFullStart(chunks: AsyncIterable<Uint8Array | string>): AsyncGenerator<Uint8Array | string> {
  const start: (Uint8Array | string)[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    if (size >= START) {
      yield chunk;
      continue;
    }
    start.push(chunk);
    size += chunk.length;
    if (size >= START) yield joined(start);
  }
  if (size < START) yield joined(start);
}

const joined = (parts: (Uint8Array | string)[]): Uint8Array | string =>
  parts.every((part) => typeof part === 'string')
    ? parts.join('')
    : Buffer.concat(parts.map((part) => Buffer.from(part as string)));

async function* opened(source: TextSource): AsyncGenerator<Uint8Array | string> {
  if (typeof source !== 'string') {
    yield* source;
    return;
  }
  try {
    yield* createReadStream(source) as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw new RiverrunError('CSV_FILE', `cannot read ${source}: ${errorMessage(error)}`, { cause: error });
  }
}
