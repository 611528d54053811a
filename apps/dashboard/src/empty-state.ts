/** What to do when nothing flows yet. */
import { byId, el } from './dom.js';

export function fillEmptyState(): HTMLElement {
  const url = new URL('ticks', location.href).href;
  const tick = '{"stream":"s12","ts":1700000000000,"value":0.1234}';
  const section = byId('empty');
  section.append(
    el('h2', {}, 'No ticks yet'),
    el('p', {}, 'Send the first one. A stream begins with its first tick, and its chart appears here.'),
    el(
      'pre',
      { tabindex: '0' },
      el('code', {}, `curl -X POST ${url} \\\n  -H 'content-type: application/json' \\\n  -d '${tick}'`),
    ),
    el('p', {}, 'Many at once: an array, or one tick a line. With Kafka, publish the same JSON to the ticks topic.'),
  );
  return section;
}
