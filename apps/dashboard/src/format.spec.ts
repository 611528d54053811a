import { expect, it } from 'vitest';
import { number, quantity } from './format.js';

it('numbers have about four digits, bytes a prefix, and what is left over of no bytes is none', () => {
  expect([0, 99.997, 1234.56, 0.12345, -2.03e-15, null].map(number)).toEqual([
    '0',
    '100.0',
    '1234.6',
    '0.123',
    '−2.03e−15',
    '–',
  ]);
  expect([1.36e6, 0.5, 3.5e-14, -2e-15].map((x) => quantity(x, 'B/s'))).toEqual(
    ['1.36 MB/s', '0.500 B/s', '0 B/s', '0 B/s'].map((text) => text.replaceAll(' ', '\u202f')),
  );
  expect(quantity(3.5e-14, 'A')).toBe('3.50e−14\u202fA');
});
