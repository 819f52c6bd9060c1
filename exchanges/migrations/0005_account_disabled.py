from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('exchanges', '0004_account_tests'),
    ]

    operations = [
        migrations.AddField(
            model_name='exchangeaccount',
            name='disabled_at',
            field=models.DateTimeField(blank=True, help_text='Since when an operator lets nothing trade here.', null=True),
        ),
    ]
