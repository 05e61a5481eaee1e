import { describeSequences } from './sequences.ts';

describeSequences('SQLite', async () => undefined);
