import { proven } from '../helpers/connector-record.js';
import { webSocketOwnServer, webSocketReader } from '../helpers/websocket-bench.js';

for (const harness of [webSocketOwnServer, webSocketReader]) proven(harness);
