/** riverrun's page: takes the live feed apart and hands each part of the page its share. */
import { byId } from './dom.js';
import { DetailPanel } from './detail-panel.js';
import { fillEmptyState } from './empty-state.js';
import { Grid } from './grid.js';
import { LiveConnection } from './live-connection.js';
import { ModelCard } from './model-card.js';
import { onThemeChange } from './palette.js';
import { onRoute } from './route.js';
import { StreamList } from './stream-list.js';
import { Top } from './top.js';

const top = new Top();
const model = new ModelCard();
const empty = fillEmptyState();
const grid: Grid = new Grid(() => detail.draw());
const detail = new DetailPanel((id) => grid.series(id));
new StreamList();

const link: LiveConnection = new LiveConnection(
  'live',
  (frame, history) => {
    top.show(frame);
    model.show(frame);
    grid.take(frame, history);
    empty.hidden = grid.size > 0;
    byId('all').hidden = grid.size === 0;
  },
  () => top.link(link),
);

top.link(link);
setInterval(() => {
  top.link(link);
  model.refresh();
}, 1000);
onThemeChange(() => grid.redraw(true));
onRoute((id) => detail.show(id));
