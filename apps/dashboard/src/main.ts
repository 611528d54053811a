/** The page: a feed of frames, and the parts that show them. */
import 'uplot/dist/uPlot.min.css';
import './app.css';
import { CardGrid } from './card-grid.js';
import { DetailPanel } from './detail-panel.js';
import { byId, setHidden, setText } from './dom.js';
import { LiveConnection } from './live-connection.js';
import { ModelPanel } from './model-panel.js';
import type { Frame } from './protocol.js';
import { StatusHeader } from './status-header.js';
import { StreamList } from './stream-list.js';

const header = new StatusHeader();
const model = new ModelPanel();
const grid = new CardGrid(byId('groups'));
const detail = new DetailPanel(grid);
const empty = byId('empty');
const legend = byId('legend');

setText(
  byId('example'),
  `curl ${location.origin}/ticks -H 'content-type: application/json' \\\n  -d '{"stream": "my-first-stream", "value": 0.42}'`,
);

const connection = new LiveConnection(
  (frame, first) => {
    header.take(frame);
    model.take(frame);
    grid.take(frame, first);
    setHidden(empty, grid.size > 0);
    setHidden(legend, grid.size === 0);
    takeLegend(frame);
  },
  (state) => header.show(state),
);

function takeLegend({ horizon = 1, level, streams }: Frame): void {
  const before = horizon === 1 ? 'one tick before' : `${horizon} ticks before`;
  setText(byId('legend-predicted'), `predicted ${before}`);
  const interval = byId('legend-interval');
  setHidden(interval, level === undefined || streams.every(({ skill }) => skill === undefined));
  setText(interval, `${Math.round(100 * (level ?? 0))} % interval`);
}

new StreamList();
detail.follow();
connection.start();
