/** Numbers as files write them. In a file with decimal commas `1.234` is 1234 and `1.234,5` is 1234.5; in all others it is the other way round. */
const PLAIN = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const COMMA_GROUPS = /^[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?$/;
const DECIMAL_COMMA = /^[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+)?,\d+(?:[eE][+-]?\d+)?$/;
const DOT_GROUPS = /^[+-]?\d{1,3}(?:\.\d{3})+$/;
const WHOLE = /^[+-]?\d+(?:[eE][+-]?\d+)?$/;
const MISSING = /^(?:nan|na|n\/a|null|none|#n\/a)?$/i;

/** NaN where the value is missing, undefined where the text is no finite number. */
export function readNumber(text: string, decimalComma: boolean): number | undefined {
  if (!decimalComma && PLAIN.test(text)) return finite(Number(text));
  const t = text.trim();
  if (MISSING.test(t)) return NaN;
  if (decimalComma) {
    if (DECIMAL_COMMA.test(t)) return finite(Number(t.replaceAll('.', '').replace(',', '.')));
    return WHOLE.test(t) || DOT_GROUPS.test(t) ? finite(Number(t.replaceAll('.', ''))) : undefined;
  }
  if (PLAIN.test(t)) return finite(Number(t));
  return COMMA_GROUPS.test(t) ? finite(Number(t.replaceAll(',', ''))) : undefined;
}

const finite = (n: number): number | undefined => (Number.isFinite(n) ? n : undefined);

/** Whether the file this cell comes from writes decimal commas; undefined where the cell does not tell (`12`, `1.234`). */
export function tellsDecimalComma(text: string): boolean | undefined {
  const t = text.trim();
  if (DECIMAL_COMMA.test(t)) return COMMA_GROUPS.test(t) ? undefined : true;
  if (DOT_GROUPS.test(t) || WHOLE.test(t)) return undefined;
  return PLAIN.test(t) || COMMA_GROUPS.test(t) ? false : undefined;
}
