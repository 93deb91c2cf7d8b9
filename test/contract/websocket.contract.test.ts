import { proven } from '../helpers/connector-record.js';
import { webSocketFrames } from '../helpers/websocket-bench.js';

// S2.42, with the server's own suite: resets, silent peers, floods, refused logins, restarts, slow readers, orderly ends.
proven(webSocketFrames);
