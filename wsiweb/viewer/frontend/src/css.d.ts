/** Style sheets are gathered by the bundler into the entry's own .css file. */
declare module "*.css";
