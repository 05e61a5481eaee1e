import { startScim2Server } from '../../services/scim2-server.ts';
import { describeContract } from './behaviour.ts';

describeContract('scim2-server', startScim2Server);
