"""axe-core in a page: what of WCAG 2.2, level AA, a program can tell that is not kept."""

from pathlib import Path

MODULES = Path(__file__).parent / "node_modules"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
# Of the whole page; what is not ours in it is no concern of ours.
RUN = """
const [within, tags, done] = arguments;
const rules = { 'target-size': { enabled: true }, 'css-orientation-lock': { enabled: true } };
const look = { runOnly: { type: 'tag', values: tags }, rules, resultTypes: ['violations'] };
axe.run(within ? { include: [within] } : document, look).then(
  (seen) => done({ looked: seen.passes.length, faults: seen.violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, html }) => `${id} (${help}): ${JSON.stringify(target)} ${html.slice(0, 160)}`)) }),
  (error) => done({ looked: 0, faults: [String(error)] }))"""


def faults(browser, within=None, practice=True):
    """What axe finds, in the page or within an element of it; with `practice`, also what is good
    practice and no rule of WCAG. What is folded away is unfolded first."""
    driver = browser.driver
    if not driver.execute_script("return !!window.axe"):
        driver.execute_script((MODULES / "axe-core" / "axe.min.js").read_text())
    driver.execute_script("document.querySelectorAll('details').forEach((part) => { part.open = true })")
    driver.set_script_timeout(60)
    seen = driver.execute_async_script(RUN, within, TAGS + (["best-practice"] if practice else []))
    assert seen["looked"] > 0 or seen["faults"], "axe looked at nothing"
    return seen["faults"]
