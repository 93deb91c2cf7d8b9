export { jsonWithSchema, type JsonSchema } from '../mappers/json-with-schema.js';
