import { proven } from '../helpers/connector-record.js';
import { fileFinite, fileFollowed } from '../helpers/file-bench.js';

// SEC-02 looks at everything that is reported while messages fail (S21).
for (const harness of [fileFollowed, fileFinite]) proven(harness);
