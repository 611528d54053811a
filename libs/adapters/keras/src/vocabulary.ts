/** The words of a lookup layer at the head of a model, by id as the embedding after it counts them. */
import type { ChainLayer } from './chain.js';
import { own, type Json } from './json.js';
import { quote, invalid, unsupported } from './refusals.js';
import type { SavedModel } from './saved-model.js';

const MAX_WORDS = 10_000_000;

export function lookupVocabulary(model: SavedModel, layer: ChainLayer, where: string, notes: string[]): string[] {
  const { className, config } = layer;
  const text = className === 'TextVectorization';
  if ((own(config, 'output_mode') ?? 'int') !== 'int')
    throw unsupported(
      where,
      `output_mode ${quote(own(config, 'output_mode'))} counts words in a whole text; only int gives one id a word`,
    );
  if (own(config, 'invert') === true)
    throw unsupported(where, 'an inverted lookup turns ids into words, not words into ids');
  if ((own(config, 'ngrams') ?? null) !== null)
    throw unsupported(where, 'ngrams join several words, a stream has one word at a time');
  const split = own(config, 'split') ?? 'whitespace';
  if (text && split !== 'whitespace')
    throw unsupported(where, `split ${quote(JSON.stringify(split))}: only words split at whitespace are read`);
  if ((own(config, 'num_oov_indices') ?? 1) !== 1)
    throw unsupported(where, 'unknown words are spread over several ids by a hash; use num_oov_indices=1');
  if (text)
    notes.push(
      `${where}: words are looked up as they come; send them as ${quote(own(config, 'standardize') ?? 'lower_and_strip_punctuation')} leaves them`,
    );
  if (className === 'IntegerLookup')
    notes.push(`${where}: send its numbers as words ("7"); a bare number is taken as the embedding's own id`);
  const listed = own(config, 'vocabulary') ?? null;
  // Adapted vocabularies lie in a file of their own, complete with the ids of padding and of unknown words.
  const words =
    listed === null ? fromFile(model, layer, where) : [...specialWords(config, text), ...fromConfig(listed, where)];
  if (words.length > MAX_WORDS) throw invalid(`${where}: the vocabulary has ${words.length} words`);
  return words;
}

function specialWords(config: Json, text: boolean): string[] {
  const mask = text ? '' : (own(config, 'mask_token') ?? null);
  const unknown = text ? '[UNK]' : (own(config, 'oov_token') ?? '[UNK]');
  return [...(mask === null ? [] : [word(mask)]), word(unknown)];
}

function fromConfig(listed: unknown, where: string): string[] {
  if (!Array.isArray(listed))
    throw unsupported(
      where,
      `its vocabulary lies outside the model, in ${quote(listed)}; adapt the layer before saving`,
    );
  return listed.map((item: unknown) => {
    if (typeof item !== 'string' && typeof item !== 'number')
      throw invalid(`${where}: a word of its vocabulary is ${quote(JSON.stringify(item))}`);
    return word(item);
  });
}

function fromFile(model: SavedModel, { className }: ChainLayer, where: string): string[] {
  const bytes = model.vocabularyFile?.(className);
  if (bytes === undefined)
    throw unsupported(
      where,
      'the file does not hold its vocabulary; save as .keras after adapt(), or start the model at the embedding and give --vocabulary',
    );
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).split('\n');
  } catch (error) {
    throw invalid(`${where}: its vocabulary is not UTF-8 text`, error);
  }
}

const word = (value: unknown): string => (typeof value === 'number' ? String(value) : (value as string));
