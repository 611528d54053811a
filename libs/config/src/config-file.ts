/** Reads the YAML file of RIVERRUN_CONFIG as plain data. Nothing of the text is ever quoted: it may hold secrets. */
import { isMap, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import { ConfigError } from './config-error.js';

const LARGEST = 1024 * 1024;

export function parseConfigFile(file: string, text: string): Record<string, unknown> {
  if (text.length > LARGEST) throw new ConfigError(`${file}: larger than 1 MB, which no configuration is`);
  try {
    return read(file, text);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    // Thousands of nested brackets exhaust the stack inside the parser.
    throw new ConfigError(`${file}: not readable as YAML (nested too deeply?)`);
  }
}

function read(file: string, text: string): Record<string, unknown> {
  const lines = new LineCounter();
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const document = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: true,
    prettyErrors: false,
    schema: 'core',
    logLevel: 'silent',
  });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) throw new ConfigError(`${at(problem.pos[0])}: ${reasonOf(problem.code)}`);
  visit(document, {
    Alias: (_, node) => {
      throw new ConfigError(
        `${at(node.range?.[0] ?? 0)}: aliases (*name) are not supported, write the value out (or quote it)`,
      );
    },
    Pair: (_, { key }) => {
      if (isScalar(key) && typeof key.value === 'string') return;
      throw new ConfigError(`${file}: keys have to be plain words`);
    },
  });
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) return {};
  if (!isMap(document.contents)) throw new ConfigError(`${file}: expected settings as \`key: value\` lines`);
  return document.toJS({ maxAliasCount: 0 }) as Record<string, unknown>;
}

function reasonOf(code: string): string {
  if (code === 'DUPLICATE_KEY') return 'a key stands here for the second time';
  if (code === 'TAG_RESOLVE_FAILED') return 'tags (!name) are not supported (quote the value)';
  if (code === 'BAD_ALIAS') return 'aliases (*name) are not supported (quote the value)';
  if (code === 'MULTIPLE_DOCS') return 'expected one document, without ---';
  if (code === 'TAB_AS_INDENT') return 'a tab is used as indentation';
  return `not valid YAML (${code.toLowerCase().replaceAll('_', ' ')})`;
}
