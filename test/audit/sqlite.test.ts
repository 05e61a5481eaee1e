import { describeAudit } from '../conformance/audit.ts';
import { sqliteState } from '../conformance/state.ts';

describeAudit('SQLite', sqliteState);
