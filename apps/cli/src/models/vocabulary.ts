/** Words by id, from a file: a JSON array, a JSON object {word: id}, or one word a line. */
import { readFile } from 'node:fs/promises';
import { errorMessage, RiverrunError } from '#domain/errors';

const MOST_WORDS = 10_000_000;

export async function readVocabulary(path: string): Promise<string[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new RiverrunError('VOCABULARY', `cannot read ${path}: ${errorMessage(error)}`, { cause: error });
  }
  return parseVocabulary(text.replace(/^\ufeff/, ''), path);
}

export function parseVocabulary(text: string, path: string): string[] {
  const bad = (what: string): RiverrunError => new RiverrunError('VOCABULARY', `${path}: ${what}`);
  if (!/^\s*[[{]/.test(text) || /^\s*\[[A-Z]+\]\s*$/m.test(firstLine(text))) {
    // Not JSON, or a list that begins with a word like [UNK].
    const words = text.split(/\r?\n/);
    if (words.at(-1) === '') words.pop();
    return checked(words);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw bad(`not JSON: ${errorMessage(error)}`);
  }
  if (Array.isArray(json)) {
    if (!json.every((word) => typeof word === 'string')) throw bad('expected an array of words');
    return checked(json);
  }
  const words: string[] = [];
  for (const [word, id] of Object.entries(json as object)) {
    if (!Number.isInteger(id) || id < 0 || id >= MOST_WORDS)
      throw bad(`the id of ${JSON.stringify(word)} is not an integer from 0 on`);
    if ((words[id as number] as string | undefined) !== undefined) throw bad(`two words have the id ${id}`);
    words[id as number] = word;
  }
  // An id without a word, such as the 0 that Keras keeps for padding, is the empty word: Keras writes it like that, too.
  return checked(Array.from(words, (word: string | undefined) => word ?? ''));

  function checked(words: string[]): string[] {
    if (words.length === 0) throw bad('no words');
    const seen = new Set<string>();
    for (const word of words) {
      if (word !== '' && seen.has(word)) throw bad(`${JSON.stringify(word)} stands there twice`);
      seen.add(word);
    }
    return words;
  }
}

const firstLine = (text: string): string => text.slice(0, 200).trimStart().split(/\r?\n/, 1)[0];
