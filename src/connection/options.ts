export * from '../options.js';
