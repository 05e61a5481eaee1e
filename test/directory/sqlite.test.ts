import { describeDirectory } from '../conformance/directory.ts';
import { sqliteState } from '../conformance/state.ts';

describeDirectory('SQLite', sqliteState);
