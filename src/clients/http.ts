/** `fairlead/http`: agents of Node's http and https whose requests go to instances of a service. */
export {};
