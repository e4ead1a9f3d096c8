import { unpackPackage } from '../debian/packages.mjs';

/**
 * MariaDB: the program and its system tables, without the service, its user and the clients.
 *
 * @param {string} workDir an empty folder, removed by the caller.
 * @returns {Promise<string>} the folder inside it that the packages were unpacked to.
 */
export function downloadDebianPackages(workDir) {
  return unpackPackage(workDir, 'mariadb-server-core');
}
