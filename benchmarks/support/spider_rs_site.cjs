// A site by spider-rs: `node spider_rs_site.cjs MODULE URL`; prints the number of pages. Nothing is kept.
// Its own defaults are the quickest: no delay, no budget, no subscription to pages (each would be copied into node).
const { Website } = require(process.argv[2])

const website = new Website(process.argv[3]).withRespectRobotsTxt(false).build()
website.crawl().then(() => console.log(`${website.size} pages`))
