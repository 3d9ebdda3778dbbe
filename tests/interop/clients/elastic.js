// Sends with @elastic/elasticsearch: URL and KEY are its arguments.

const { Client } = require('@elastic/elasticsearch')

async function main () {
  const [node, apiKey] = process.argv.slice(2)
  const client = new Client({ node, auth: { apiKey }, sniffOnStart: true, compression: true })
  const documents = [{ message: 'order 7 failed', n: 7 }, { message: 'naïve — ünïcode' }]
  const result = await client.helpers.bulk({
    datasource: documents,
    onDocument (document) { return { create: { _index: 'orders', _id: String(document.n) } } },
    onDrop (dropped) { console.log('dropped', JSON.stringify(dropped.error)) },
    refreshOnCompletion: true
  })
  console.log(result.total, result.successful, result.failed)
  const one = await client.index({ index: 'orders', document: { message: 'a single one' } })
  console.log(one.result)
  await client.close()
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
