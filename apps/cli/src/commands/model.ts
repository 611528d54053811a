import { examples, type AddCommand } from '../arguments.js';
import { addModelAliases } from './model-aliases.js';
import { addModelImport } from './model-import.js';
import { addModelViews } from './model-views.js';

export const addModel: AddCommand = (parent, done) => {
  const model = parent
    .command('model')
    .description('models of the data folder; a running service follows within a second')
    .addHelpText(
      'after',
      examples(
        'riverrun model import lstm.keras --activate',
        'riverrun model ls',
        'riverrun model activate lstm@1',
        'riverrun model export lstm@1 lstm.riverrun.json',
      ),
    );
  addModelImport(model, done);
  addModelViews(model, done);
  addModelAliases(model, done);
};
